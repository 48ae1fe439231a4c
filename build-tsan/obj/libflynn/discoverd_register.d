build-tsan/obj/libflynn/discoverd_register.o: \
 libflynn/discoverd_register.c libflynn/attr.h libflynn/buf.h \
 libflynn/attr.h libflynn/discoverd_internal.h libflynn/discoverd.h \
 libflynn/list.h libflynn/retry.h libflynn/err.h libflynn/http_client.h \
 libflynn/json.h libflynn/log.h libflynn/random.h libflynn/uuid.h \
 libflynn/xmalloc.h
libflynn/attr.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/discoverd_internal.h:
libflynn/discoverd.h:
libflynn/list.h:
libflynn/retry.h:
libflynn/err.h:
libflynn/http_client.h:
libflynn/json.h:
libflynn/log.h:
libflynn/random.h:
libflynn/uuid.h:
libflynn/xmalloc.h:
