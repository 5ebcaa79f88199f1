// How exceptions find their way in the static proxysql-pulse: by the table that the linker sorts (--eh-frame-hdr),
// which is looked for when one is thrown. A static program's start registers its unsorted tables instead, which touches
// three pages in each beat for an exception that hardly any beat throws: that start is wrapped away (--wrap).

extern "C" {
void __wrap___register_frame_info(const void*, void*);
void* __wrap___deregister_frame_info(const void*);

void __wrap___register_frame_info(const void*, void*) {}
void* __wrap___deregister_frame_info(const void*) { return nullptr; }
}
