lazymesh_fuzz(als_entry SOURCES als_entry_fuzz.cc DEPENDS lazymesh_als)
