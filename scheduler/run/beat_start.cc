// How a beat of the static proxysql-pulse comes to main(): as the C library starts a program, without what only chooses
// the fastest of its functions. All other commands start as the C library has it.
//
// glibc asks the processor dozens of times what it can (CPUID), to know which memcpy(3) is the best one there. A
// virtual machine is left for each answer: together a fifth of a beat's CPU time, for a program that copies little.
// Unasked, the functions are taken that every x86-64 has. The environment isn't searched for tunables either.
//
// This is csu/libc-start.c of glibc 2.36, of which it calls what isn't declared anywhere. So it is for that version
// alone: with any other, beats start as the C library has it, too. To take in another version, compare that file.
#include <features.h>

#include <cstdint>
#include <cstdlib>

#if defined(__x86_64__) && __GLIBC__ == 2 && __GLIBC_MINOR__ == 36
#define PULSE_OWN_BEAT_START
#endif

// NOLINTBEGIN(bugprone-reserved-identifier): the names of the C library and of the linker
extern "C" {

using Main = int (*)(int, char**, char**);
using Initializer = void (*)(int, char**, char**);

int __real___libc_start_main(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);
int __wrap___libc_start_main(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);

#ifdef PULSE_OWN_BEAT_START
// Where a function of which there are several has its address, and the function that chooses.
struct IndirectRelocation {
  uintptr_t* place;
  uint64_t type;
  uintptr_t (*choose)();
};

extern char** __environ;
extern void* __libc_stack_end;
extern const uintptr_t* _dl_random;  // 16 bytes of the kernel's
extern int __libc_enable_secure;
extern long __x86_shared_non_temporal_threshold;
extern const IndirectRelocation __rela_iplt_start[];
extern const IndirectRelocation __rela_iplt_end[];
extern const Initializer __preinit_array_start[];
extern const Initializer __preinit_array_end[];
extern const Initializer __init_array_start[];
extern const Initializer __init_array_end[];
void _dl_aux_init(char**);
void __libc_setup_tls();
void __libc_early_init(bool);
void __libc_init_first(int, char**, char**);
void __libc_check_standard_fds();
void _init();
#endif
}

#ifdef PULSE_OWN_BEAT_START
namespace {

constexpr uint64_t kIndirect = 37;  // R_X86_64_IRELATIVE

// By hand, as all before choose_functions(): strcmp(3) isn't chosen yet.
bool is_beat(int argc, char** argv) {
  if (argc < 2) return false;
  const char* word = argv[1];
  for (const char* wanted = "beat"; *wanted != '\0'; ++wanted, ++word) {
    if (*word != *wanted) return false;
  }
  return *word == '\0';
}

// The auxiliary vector is behind the environment.
char** auxiliary_vector(char** environment) {
  while (*environment != nullptr) ++environment;
  return environment + 1;
}

void choose_functions() {
  // From this size on memcpy(3) goes past the caches. What glibc takes where a processor doesn't tell their sizes.
  __x86_shared_non_temporal_threshold = 0xc0000;
  for (const IndirectRelocation* one = __rela_iplt_start; one != __rela_iplt_end; ++one) {
    if (one->type != kIndirect) __builtin_trap();
    *one->place = one->choose();
  }
}

// The canary of functions on the stack, whose first byte ends a text, and what addresses in longjmp(3)'s are hidden by.
void set_guards() {
  asm volatile("movq %0, %%fs:0x28" : : "r"(_dl_random[0] & ~uintptr_t{0xff}));
  asm volatile("movq %0, %%fs:0x30" : : "r"(_dl_random[1]));
}

void initialize(const Initializer* first, const Initializer* end, int argc, char** argv) {
  for (; first != end; ++first) (*first)(argc, argv, __environ);
}

[[noreturn]] void start_beat(Main main, int argc, char** argv, void* stack_end) {
  __environ = argv + argc + 1;
  __libc_stack_end = stack_end;
  _dl_aux_init(auxiliary_vector(__environ));
  choose_functions();
  __libc_setup_tls();
  set_guards();
  __libc_early_init(true);
  __libc_init_first(argc, argv, __environ);
  if (__libc_enable_secure != 0) __libc_check_standard_fds();
  initialize(__preinit_array_start, __preinit_array_end, argc, argv);
  _init();
  initialize(__init_array_start, __init_array_end, argc, argv);
  std::exit(main(argc, argv, __environ));
}

}  // namespace
#endif

int __wrap___libc_start_main(Main main, int argc, char** argv, void (*init)(), void (*fini)(), void (*end_linker)(),
                             void* stack_end) {
#ifdef PULSE_OWN_BEAT_START
  if (is_beat(argc, argv)) start_beat(main, argc, argv, stack_end);
#endif
  return __real___libc_start_main(main, argc, argv, init, fini, end_linker, stack_end);
}
// NOLINTEND(bugprone-reserved-identifier)
