build-tsan/obj/libflynn/http_call.o: libflynn/http_call.c libflynn/attr.h \
 libflynn/clock.h libflynn/err.h libflynn/attr.h \
 libflynn/http_client_internal.h libflynn/buf.h libflynn/http_client.h \
 libflynn/list.h libflynn/json.h libflynn/sign.h libflynn/tls_pin.h \
 libflynn/xmalloc.h
libflynn/attr.h:
libflynn/clock.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/http_client_internal.h:
libflynn/buf.h:
libflynn/http_client.h:
libflynn/list.h:
libflynn/json.h:
libflynn/sign.h:
libflynn/tls_pin.h:
libflynn/xmalloc.h:
