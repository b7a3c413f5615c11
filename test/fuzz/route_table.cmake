lazymesh_fuzz(route_table SOURCES route_table_fuzz.cc ../egress-on-demand/route_cases.cc
  DEPENDS lazymesh_egress_on_demand)
