# The libraries of the static programs, as archives without what unwinds their calls: no exception passes through C, and
# no debugger needs it in a stripped program. It is an eighth of what they are.
#
#   static_library(VARIABLE NAME)    sets VARIABLE to the path of a copy of libNAME.a
#   static_openssl(VARIABLE)         to those of OpenSSL's libraries, with what they need
#   static_c_library(TARGET)         has TARGET, which is linked with -static, take the C library's copy
#
# Each target that links one has to depend on the target static-libraries. Beside each copy a file of its name and
# ".from" holds the path of the original, for scripts/sbom.
add_custom_target(static-libraries)
function(static_library VARIABLE NAME)
  find_library(ORIGINAL_OF_${NAME} lib${NAME}.a REQUIRED)
  set(original ${ORIGINAL_OF_${NAME}})
  set(copy ${CMAKE_BINARY_DIR}/archives/lib${NAME}.a)
  if(NOT TARGET archive-${NAME})
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/archives)
    file(WRITE ${copy}.from "${original}\n")
    add_custom_command(OUTPUT ${copy}
      COMMAND ${CMAKE_OBJCOPY} --remove-section=.eh_frame --remove-section=.rela.eh_frame ${original} ${copy}
      DEPENDS ${original} VERBATIM)
    add_custom_target(archive-${NAME} DEPENDS ${copy})
    add_dependencies(static-libraries archive-${NAME})
  endif()
  set(${VARIABLE} ${copy} PARENT_SCOPE)
endfunction()

function(static_openssl VARIABLE)
  static_library(ssl_archive ssl)
  static_library(crypto_archive crypto)
  set(${VARIABLE} ${ssl_archive} ${crypto_archive})
  # What else an OpenSSL was built with: trixie's compresses by zstd, too.
  pkg_check_modules(CRYPTO REQUIRED libcrypto)
  foreach(name z zstd)
    if(name IN_LIST CRYPTO_STATIC_LIBRARIES)
      static_library(archive ${name})
      list(APPEND ${VARIABLE} ${archive})
    endif()
  endforeach()
  set(${VARIABLE} ${${VARIABLE}} PARENT_SCOPE)
endfunction()

function(static_c_library TARGET)
  static_library(archive c)
  add_dependencies(${TARGET} static-libraries)
  target_link_options(${TARGET} PRIVATE -L${CMAKE_BINARY_DIR}/archives)  # where the compiler's own -lc finds it first
endfunction()
