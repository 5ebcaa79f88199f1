-- Who ProxySQL logs in as: for the applications, and to look whether a server is there and read-only.
CREATE USER 'app'@'%' IDENTIFIED BY 'app';
GRANT ALL ON app.* TO 'app'@'%';
CREATE USER 'monitor'@'%' IDENTIFIED BY 'monitor';
GRANT REPLICA MONITOR, BINLOG MONITOR ON *.* TO 'monitor'@'%';
