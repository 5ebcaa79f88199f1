// start-check beat | COMMAND: whether a program that starts as proxysql-pulse does has what the C library promises.
//
// beat_start.cc does itself what the C library does before main(): what it forgot would show in a beat only on the day
// on which that is needed. With another word than "beat" the C library starts this, too, which shows that what is
// looked for is there.
#include <features.h>
#include <setjmp.h>
#include <string.h>
#include <strings.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <sys/platform/x86.h>
#endif

namespace {

int failures = 0;

void check(bool holds, const std::string& what) {
  if (holds) return;
  ++failures;
  std::printf("not so: %s\n", what.c_str());
}

// Made before main().
const std::string before_main = std::string("made") + " before main";
thread_local int of_this_thread = 7;

void check_guards() {
#if defined(__x86_64__)
  uintptr_t canary = 0;
  uintptr_t pointers = 0;
  asm volatile("movq %%fs:0x28, %0" : "=r"(canary));
  asm volatile("movq %%fs:0x30, %0" : "=r"(pointers));
  const auto* const random = reinterpret_cast<const uintptr_t*>(::getauxval(AT_RANDOM));
  check(canary == (random[0] & ~uintptr_t{0xff}), "the stack's canary is the kernel's random number");
  check(pointers == random[1], "so is the guard of longjmp(3)'s addresses");
#endif
  static jmp_buf place;
  volatile int turns = 0;
  if (setjmp(place) == 0) {
    turns = turns + 1;
    longjmp(place, 1);
  }
  check(turns == 1, "longjmp(3) comes back once");
}

void check_threads() {
  of_this_thread = 8;
  int of_another = 0;
  std::thread([&] { of_another = of_this_thread; }).join();
  check(of_another == 7, "a thread begins with a thread_local of its own");
  check(of_this_thread == 8, "and leaves this one's alone");
}

[[gnu::noinline]] void throw_if(bool wanted) {
  if (wanted) throw std::runtime_error("thrown");
}

void check_exceptions() {
  std::string caught;
  try {
    throw_if(true);
  } catch (const std::runtime_error& error) {
    caught = error.what();
  }
  check(caught == "thrown", "an exception is caught");
}

// Sizes up to one beyond what memcpy(3) takes past the caches, and all alignments.
void check_copies(size_t size, size_t offset) {
  const std::string of = " of " + std::to_string(size) + " bytes at " + std::to_string(offset);
  std::vector<char> from(size + 64);
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<char>('a' + i * 7 % 26);
  std::vector<char> to(size + 64, '.');
  memcpy(to.data() + offset, from.data() + 1, size);
  bool same = to[offset + size] == '.' && (offset == 0 || to[offset - 1] == '.');
  for (size_t i = 0; i < size; ++i) same = same && to[offset + i] == from[i + 1];
  check(same, "memcpy" + of);
  check(memcmp(to.data() + offset, from.data() + 1, size) == 0, "memcmp" + of);
  memmove(to.data() + offset + 3, to.data() + offset, size);
  bool moved = true;
  for (size_t i = 0; i < size; ++i) moved = moved && to[offset + 3 + i] == from[i + 1];
  check(moved, "memmove" + of);
  to[offset + 3 + size] = '\0';
  check(strlen(to.data() + offset + 3) == size, "strlen" + of);
  check(strchr(to.data() + offset + 3, '!') == nullptr, "strchr" + of);
  check(memchr(to.data() + offset + 3, '\0', size + 1) == to.data() + offset + 3 + size, "memchr" + of);
  check(strcasecmp(to.data() + offset + 3, std::string(from.data() + 1, size).c_str()) == 0, "strcasecmp" + of);
  memset(to.data() + offset, '!', size);
  check(std::string(to.data() + offset, size) == std::string(size, '!'), "memset" + of);
}

void check_library() {
  check(before_main == "made before main", "constructors ran");
  const char* const here = std::getenv("START_CHECK");
  check(here != nullptr && std::string(here) == "here", "the environment is read");
  check(::sysconf(_SC_PAGESIZE) == static_cast<long>(::getauxval(AT_PAGESZ)), "the size of a page is the kernel's");
  check(::sysconf(_SC_MINSIGSTKSZ) >= 2048, "a signal's stack has a size");
  timespec now{};
  check(::clock_gettime(CLOCK_MONOTONIC, &now) == 0 && now.tv_sec > 0, "the clock is read");
  char number[32];
  std::snprintf(number, sizeof number, "%.3f %s", 2.5, "text");
  check(std::string(number) == "2.500 text" && std::strtod(number, nullptr) == 2.5, "fractions are written and read");
  check(::strstr("a needle in hay", "needle") != nullptr, "strstr finds");
}

// Only where a start without it exists does its absence say something.
void check_processor(bool is_beat) {
#if defined(__x86_64__) && __GLIBC__ == 2 && __GLIBC_MINOR__ == 36
  check((CPU_FEATURE_PRESENT(SSE2) == 0) == is_beat, "the processor is asked what it can unless this is a beat");
#else
  static_cast<void>(is_beat);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::atexit([] { std::puts("the end is reached"); });
  check_guards();
  check_threads();
  check_exceptions();
  for (size_t size = 0; size < 600; size += size < 80 ? 1 : 13) {
    for (size_t offset = 0; offset < 32; offset += 5) check_copies(size, offset);
  }
  for (const size_t size : {4095U, 65'536U, 786'432U, 786'433U, 5'000'011U}) check_copies(size, 1);
  check_library();
  check_processor(std::string(argv[1]) == "beat");
  if (failures == 0) std::printf("%s: all is as it should be\n", argv[1]);
  return failures == 0 ? 0 : 1;
}
