// In the static programs: what is said where nobody takes an exception, instead of the C++ library's own, which brings
// along all that it takes to show the name of a type: 50 KB.
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace __gnu_cxx {  // NOLINT(bugprone-reserved-identifier): its place
void __verbose_terminate_handler();
void __verbose_terminate_handler() {
  std::fputs(program_invocation_short_name, stderr);
  std::fputs(": an exception that nobody took\n", stderr);
  std::abort();
}
}  // namespace __gnu_cxx
