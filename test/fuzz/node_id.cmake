lazymesh_fuzz(node_id SOURCES ${CMAKE_CURRENT_LIST_DIR}/node_id_fuzz.cc DEPENDS lazymesh_sidecar)
