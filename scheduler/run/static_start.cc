// What the C library and the compiler do before main() of the static proxysql-pulse, and no beat needs.

extern "C" {

// How exceptions find their way: by the table that the linker sorts (--eh-frame-hdr), which is looked for when one is
// thrown. A static program's start registers its unsorted tables instead, which touches three pages in each beat for an
// exception that hardly any beat throws: that start is wrapped away (--wrap).
void __wrap___register_frame_info(const void*, void*);
void* __wrap___deregister_frame_info(const void*);

void __wrap___register_frame_info(const void*, void*) {}
void* __wrap___deregister_frame_info(const void*) { return nullptr; }

// Where the program lies, for $ORIGIN in the paths of libraries that it would load: it loads none. glibc's own asks
// /proc for it at each start. -1: not known, as where there is no /proc. Where a C library
// has it in a file with more than that, the linker says so.
const char* _dl_get_origin();  // NOLINT(bugprone-reserved-identifier): its name

const char* _dl_get_origin() {
  return reinterpret_cast<const char*>(-1);  // NOLINT(performance-no-int-to-ptr): what glibc compares with
}
}
