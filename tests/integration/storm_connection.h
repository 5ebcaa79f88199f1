// The connection of one application of a storm, by either protocol.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace pulse::test {

enum class Protocol { mysql, pgsql };

class StormConnection {
 public:
  virtual ~StormConnection() = default;
  // Logs in on 127.0.0.1 as the user app; false if that fails, see error().
  virtual bool open(uint16_t port) = 0;
  // Nothing is to be read from a connection that rests, unless the server has ended it.
  virtual bool looks_alive() const = 0;
  // Runs a statement and reads all of its answer.
  virtual bool query(const char* statement) = 0;
  virtual std::string error() const = 0;
};

std::unique_ptr<StormConnection> make_storm_connection(Protocol protocol);

}  // namespace pulse::test
