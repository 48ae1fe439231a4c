build-tsan/obj/libflynn/discoverd_instance.o: \
 libflynn/discoverd_instance.c libflynn/base64.h libflynn/buf.h \
 libflynn/attr.h libflynn/discoverd_internal.h libflynn/discoverd.h \
 libflynn/list.h libflynn/retry.h libflynn/json.h libflynn/map.h \
 libflynn/xmalloc.h
libflynn/base64.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/discoverd_internal.h:
libflynn/discoverd.h:
libflynn/list.h:
libflynn/retry.h:
libflynn/json.h:
libflynn/map.h:
libflynn/xmalloc.h:
