build-tsan/obj/libflynn/attach_dial.o: libflynn/attach_dial.c \
 libflynn/attach_internal.h libflynn/attr.h libflynn/err.h \
 libflynn/attr.h libflynn/tls_pin.h libflynn/url.h libflynn/xmalloc.h
libflynn/attach_internal.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/tls_pin.h:
libflynn/url.h:
libflynn/xmalloc.h:
