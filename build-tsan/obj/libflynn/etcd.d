build-tsan/obj/libflynn/etcd.o: libflynn/etcd.c libflynn/etcd.h \
 libflynn/attr.h libflynn/buf.h libflynn/attr.h libflynn/err.h \
 libflynn/etcd_internal.h libflynn/list.h libflynn/http_client.h \
 libflynn/json.h libflynn/xmalloc.h
libflynn/etcd.h:
libflynn/attr.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/etcd_internal.h:
libflynn/list.h:
libflynn/http_client.h:
libflynn/json.h:
libflynn/xmalloc.h:
