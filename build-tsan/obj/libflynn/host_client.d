build-tsan/obj/libflynn/host_client.o: libflynn/host_client.c \
 libflynn/host_client.h libflynn/attr.h libflynn/buf.h libflynn/attr.h \
 libflynn/err.h libflynn/http_client.h libflynn/job.h libflynn/json.h \
 libflynn/log.h libflynn/sse_client.h libflynn/xmalloc.h
libflynn/host_client.h:
libflynn/attr.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/http_client.h:
libflynn/job.h:
libflynn/json.h:
libflynn/log.h:
libflynn/sse_client.h:
libflynn/xmalloc.h:
