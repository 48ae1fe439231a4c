build-tsan/obj/libflynn/etcd_auth.o: libflynn/etcd_auth.c libflynn/attr.h \
 libflynn/err.h libflynn/attr.h libflynn/etcd_internal.h libflynn/buf.h \
 libflynn/etcd.h libflynn/list.h libflynn/http_client.h libflynn/json.h \
 libflynn/log.h libflynn/xmalloc.h
libflynn/attr.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/etcd_internal.h:
libflynn/buf.h:
libflynn/etcd.h:
libflynn/list.h:
libflynn/http_client.h:
libflynn/json.h:
libflynn/log.h:
libflynn/xmalloc.h:
