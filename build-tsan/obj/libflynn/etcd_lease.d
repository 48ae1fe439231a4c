build-tsan/obj/libflynn/etcd_lease.o: libflynn/etcd_lease.c \
 libflynn/err.h libflynn/attr.h libflynn/etcd_internal.h libflynn/buf.h \
 libflynn/etcd.h libflynn/list.h libflynn/json.h libflynn/xmalloc.h
libflynn/err.h:
libflynn/attr.h:
libflynn/etcd_internal.h:
libflynn/buf.h:
libflynn/etcd.h:
libflynn/list.h:
libflynn/json.h:
libflynn/xmalloc.h:
