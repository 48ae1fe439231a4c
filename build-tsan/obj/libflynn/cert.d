build-tsan/obj/libflynn/cert.o: libflynn/cert.c libflynn/cert.h \
 libflynn/buf.h libflynn/attr.h libflynn/err.h libflynn/tls_pin.h \
 libflynn/xmalloc.h
libflynn/cert.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/tls_pin.h:
libflynn/xmalloc.h:
