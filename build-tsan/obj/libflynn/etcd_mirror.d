build-tsan/obj/libflynn/etcd_mirror.o: libflynn/etcd_mirror.c \
 libflynn/attr.h libflynn/err.h libflynn/attr.h libflynn/etcd_internal.h \
 libflynn/buf.h libflynn/etcd.h libflynn/list.h libflynn/json.h \
 libflynn/log.h libflynn/map.h libflynn/retry.h libflynn/xmalloc.h
libflynn/attr.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/etcd_internal.h:
libflynn/buf.h:
libflynn/etcd.h:
libflynn/list.h:
libflynn/json.h:
libflynn/log.h:
libflynn/map.h:
libflynn/retry.h:
libflynn/xmalloc.h:
