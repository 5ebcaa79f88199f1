// In the programs of a sanitized build. What a sanitizer finds goes into files of build/PRESET/reports, for most
// programs are started by others, and nobody reads what they print; scripts/test takes any file there for an error.
// Source: the sanitizers' flags, https://github.com/google/sanitizers/wiki/SanitizerCommonFlags
#include <malloc.h>

extern "C" {

const char* __asan_default_options() { return "log_path=" PULSE_SANITIZER_REPORTS; }
const char* __ubsan_default_options() { return "print_stacktrace=1:log_path=" PULSE_SANITIZER_REPORTS; }
const char* __tsan_default_options() { return "log_path=" PULSE_SANITIZER_REPORTS; }

}  // extern "C"

// The address sanitizer has an allocator of its own. That of the C library, which it leaves alone, sets itself up at
// its first use, which is malloc_trim(3) then, and not for two threads at once.
__attribute__((constructor)) static void set_up_allocator() { ::malloc_trim(0); }
