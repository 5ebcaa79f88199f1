// What ProxySQL says of a load of variables: since 3.0.10 its OK counts what it didn't take.
#pragma once

#include <string>
#include <string_view>

namespace pulse {

// "2 rejected and 1 unknown of 14 variables" out of "Records: 14 Updated: 11 Rejected: 2 Unknown: 1"; "" if all were
// taken, or the text says nothing of it. Pure.
std::string refused_variables(std::string_view info);

}  // namespace pulse
