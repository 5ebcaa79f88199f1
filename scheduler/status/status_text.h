// What `status` shows a person: the same as status_json, as text. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "shm/status/status_json.h"

namespace pulse {

// All of it, one thing on each line, however long.
std::string status_text(const StatusInput& input);

// As much of it as fits a screen: at most `rows` lines of at most `columns` characters (UTF-8), each followed by `end`.
// Long lines go on in the next one. Where lines are too many, lists (cores, jobs, members) say how many they leave out,
// and what is well goes first. Control characters are shown as "?".
std::string status_screen(const StatusInput& input, size_t columns, size_t rows, const std::string& end);

// A text in lines of at most `columns` characters (at least 1), broken at spaces where there are any.
std::vector<std::string> wrap(const std::string& text, size_t columns);

}  // namespace pulse
