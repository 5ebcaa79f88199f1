-- Cores that nobody answers for.
DELETE FROM proxysql_servers;
INSERT INTO proxysql_servers (hostname, port, weight, comment) VALUES ('127.0.0.1', 1, 0, '');
INSERT INTO proxysql_servers (hostname, port, weight, comment) VALUES ('127.0.0.1', 2, 0, '');
LOAD PROXYSQL SERVERS TO RUNTIME;
