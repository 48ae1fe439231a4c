build-tsan/obj/libflynn/tls_pin.o: libflynn/tls_pin.c libflynn/tls_pin.h \
 libflynn/base64.h libflynn/sign.h
libflynn/tls_pin.h:
libflynn/base64.h:
libflynn/sign.h:
