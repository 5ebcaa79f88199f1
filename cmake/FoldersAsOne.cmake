# Where a target is to be a unity build, the files of one folder are compiled as one: what they include is read once. So
# names that a file keeps to itself are of its folder, and it sees what files before it include; presets without unity
# builds compile each file alone.
function(compile_folders_as_one target)
  get_target_property(sources ${target} SOURCES)
  get_target_property(base ${target} SOURCE_DIR)
  foreach(source IN LISTS sources)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${base})
    cmake_path(GET source PARENT_PATH folder)
    cmake_path(RELATIVE_PATH folder BASE_DIRECTORY ${base})
    compile_as_one(${target} ${folder} ${source})
  endforeach()
endfunction()

# The same with these files, whose paths are absolute.
function(compile_as_one target name)
  set_target_properties(${target} PROPERTIES UNITY_BUILD_MODE GROUP)
  string(MAKE_C_IDENTIFIER "of_${name}" group)
  set_source_files_properties(${ARGN} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${group})
endfunction()
