// Spans and counts as people read them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pulse {

// "3.2 s", "12 min" or "5 h"; "0.0 s" for what is negative.
std::string show_span(int64_t span_ns);

// "123.4 s", however long it is.
std::string show_seconds(int64_t span_ns);

// "1 client", "2 clients"; `many` is for words whose plural isn't made by an s.
std::string counted(uint64_t count, std::string_view one, std::string_view many = {});

}  // namespace pulse
