// A PostgreSQL server that says whatever it likes: its messages in any pieces, its rows, its part of SCRAM.
#include "scheduler/postgresql/messages.h"
#include "scheduler/postgresql/scram.h"
#include "tests/fuzz/fuzz.h"

using pulse::fuzz::expect;
using pulse::fuzz::Input;
using pulse::pgsql::data_row;
using pulse::pgsql::error_text;
using pulse::pgsql::kMostMessageBytes;
using pulse::pgsql::MessageReader;
using pulse::pgsql::row_description;
using pulse::pgsql::sasl_mechanisms;
using pulse::pgsql::Scram;

namespace {

// What was read, with each message's type.
std::string read_all(std::string_view bytes, size_t piece) {
  MessageReader reader;
  std::string read;
  for (;;) {
    const std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    reader.add(part);
    for (;;) {
      const auto message = reader.next();
      if (!message) return read + "!";
      if (!*message) break;
      const auto& [type, body] = **message;
      read.append(1, type).append(body).append("|");
      expect(body.size() <= kMostMessageBytes, "no message is larger than is allowed");
      expect(error_text(body).find('\0') == std::string::npos, "an error is shown as text");
      if (const auto cells = data_row(body)) {
        size_t sum = 2;
        for (const auto& cell : *cells) sum += 4 + cell.value_or("").size();
        expect(sum == body.size(), "a row is all of its body");
      }
      static_cast<void>(row_description(body));
      for (const auto name : sasl_mechanisms(body)) expect(!name.empty(), "a mechanism has a name");
    }
    if (bytes.empty()) return read;
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const size_t piece = 1 + input.byte() % 64;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + (size > 0 ? 1 : 0), size > 0 ? size - 1 : 0);
  expect(read_all(bytes, piece) == read_all(bytes, bytes.size() + 1), "pieces don't matter");
  // With few iterations: their number is bounded, but a thousand runs a second are wanted here.
  if (bytes.find("i=") == std::string_view::npos || bytes.find_first_of("123456789", bytes.find("i=") + 3) > size) {
    Scram scram("secret", "nonce");
    const auto answer = scram.answer(bytes);
    expect(!answer || answer->starts_with("c=biws,r=nonce"), "an answer has our nonce");
    expect(!scram.proves(bytes), "nobody proves a password by chance");
  }
  return 0;
}
