build-tsan/obj/libflynn/etcd_kv.o: libflynn/etcd_kv.c libflynn/base64.h \
 libflynn/err.h libflynn/attr.h libflynn/etcd_internal.h libflynn/buf.h \
 libflynn/etcd.h libflynn/list.h libflynn/json.h libflynn/xmalloc.h
libflynn/base64.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/etcd_internal.h:
libflynn/buf.h:
libflynn/etcd.h:
libflynn/list.h:
libflynn/json.h:
libflynn/xmalloc.h:
