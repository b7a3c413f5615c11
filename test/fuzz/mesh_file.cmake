lazymesh_fuzz(mesh_file SOURCES ${CMAKE_CURRENT_LIST_DIR}/mesh_file_fuzz.cc DEPENDS lazymesh_registry_file)
