build-tsan/obj/libflynn/rollout.o: libflynn/rollout.c libflynn/attr.h \
 libflynn/buf.h libflynn/attr.h libflynn/err.h libflynn/http_client.h \
 libflynn/json.h libflynn/map.h libflynn/rollout.h libflynn/sse.h \
 libflynn/xmalloc.h
libflynn/attr.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/http_client.h:
libflynn/json.h:
libflynn/map.h:
libflynn/rollout.h:
libflynn/sse.h:
libflynn/xmalloc.h:
