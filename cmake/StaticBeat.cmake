# How the static proxysql-pulse is linked: what its start doesn't touch costs a beat nothing. Also for the program that
# the benchmark measures it beside.
set(BEAT_ROOT ${CMAKE_CURRENT_LIST_DIR}/..)

# OpenSSL starts when a connection wants TLS, not before: see scheduler/admin/openssl_start.cc, which `target` must hold,
# compiled with PULSE_STATIC_BEAT.
function(start_openssl_late target)
  target_link_options(${target} PUBLIC -Wl,--wrap=ma_tls_start -Wl,--wrap=OPENSSL_cpuid_setup)
endfunction()

function(link_like_the_beat target)
  # Not position-independent: nothing to relocate at each start.
  target_link_options(${target} PRIVATE -static -no-pie -Wl,--gc-sections)
  static_c_library(${target})
  # Each page and each mapping that a start touches costs a beat: what it uses lies side by side (beat.ld), and code and
  # constants in one mapping. norelro spares each start an mprotect(2) of 430 KiB and the mapping that it splits, 4 % of
  # a beat's CPU time. The price: tables of the compiler, vtables among them, stay writable while it lives.
  target_link_options(${target} PRIVATE -Wl,-T,${BEAT_ROOT}/scheduler/beat/beat.ld -Wl,-z,noseparate-code
    -Wl,-z,norelro -Wl,--eh-frame-hdr -Wl,--wrap=__register_frame_info -Wl,--wrap=__deregister_frame_info)
  set_target_properties(${target} PROPERTIES LINK_DEPENDS ${BEAT_ROOT}/scheduler/beat/beat.ld)
  target_link_options(${target} PRIVATE -Wl,--wrap=__libc_start_main)
  target_sources(${target} PRIVATE
    ${BEAT_ROOT}/scheduler/run/beat_start.cc ${BEAT_ROOT}/scheduler/run/static_start.cc)
  # What runs before the stack's canary is set can't look for it.
  set_source_files_properties(${BEAT_ROOT}/scheduler/run/beat_start.cc PROPERTIES COMPILE_OPTIONS -fno-stack-protector)
endfunction()
