build-tsan/obj/libflynn/http_fetch.o: libflynn/http_fetch.c \
 libflynn/err.h libflynn/attr.h libflynn/http_client_internal.h \
 libflynn/buf.h libflynn/http_client.h libflynn/list.h libflynn/json.h
libflynn/err.h:
libflynn/attr.h:
libflynn/http_client_internal.h:
libflynn/buf.h:
libflynn/http_client.h:
libflynn/list.h:
libflynn/json.h:
