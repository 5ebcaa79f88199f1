# Tests of a GoogleTest program, one for each suite, where gtest_discover_tests makes one for each case: starting the
# program costs more than most cases of a unit test do, above all under a sanitizer. The program is asked for its
# suites when it has been linked.
if(CMAKE_SCRIPT_MODE_FILE)
  execute_process(COMMAND ${EMULATOR} ${PROGRAM} --gtest_list_tests
    OUTPUT_VARIABLE lines COMMAND_ERROR_IS_FATAL ANY TIMEOUT 60)
  string(REGEX MATCHALL "\n[^ \n]+[.]" suites "${lines}")
  if(NOT suites)
    message(FATAL_ERROR "${PROGRAM} has no tests")
  endif()
  # What GoogleTest ends with where all cases were skipped and none failed.
  set(skipped "PASSED  \\] 0 tests[.].\\[  SKIPPED \\] [0-9]+ tests?, listed below:(.\\[  SKIPPED \\] [^ ]+)+$")
  set(content)
  foreach(suite IN LISTS suites)
    string(REGEX REPLACE "^\n|[.]$" "" suite ${suite})
    string(APPEND content "add_test([=[${suite}]=] ${EMULATOR} [=[${PROGRAM}]=] [=[--gtest_filter=${suite}.*]=])\n"
      "set_tests_properties([=[${suite}]=] PROPERTIES ${PROPERTIES} SKIP_REGULAR_EXPRESSION [=[${skipped}]=])\n")
  endforeach()
  file(WRITE ${OUT} "${content}")
  return()
endif()

# PROPERTIES: ctest's, of each suite.
function(discover_suites target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "PROPERTIES")
  get_target_property(emulator ${target} CROSSCOMPILING_EMULATOR)
  if(NOT emulator)
    set(emulator)
  endif()
  list(JOIN arg_PROPERTIES " " properties)
  set(list ${CMAKE_CURRENT_BINARY_DIR}/${target}-suites.cmake)
  add_custom_command(TARGET ${target} POST_BUILD BYPRODUCTS ${list} VERBATIM
    COMMAND ${CMAKE_COMMAND} -D PROGRAM=$<TARGET_FILE:${target}> -D OUT=${list}
      -D PROPERTIES=${properties} -D EMULATOR=${emulator} -P ${CMAKE_SOURCE_DIR}/cmake/DiscoverSuites.cmake)
  # What wasn't built is one test, which fails.
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${target}-tests.cmake
    "if(EXISTS ${list})\n  include(${list})\nelse()\n  add_test(${target}_NOT_BUILT ${target}_NOT_BUILT)\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${CMAKE_CURRENT_BINARY_DIR}/${target}-tests.cmake)
endfunction()
