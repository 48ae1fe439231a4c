build-tsan/obj/router/proxy_protocol.o: router/proxy_protocol.c \
 router/proxy_protocol.h libflynn/err.h libflynn/attr.h
router/proxy_protocol.h:
libflynn/err.h:
libflynn/attr.h:
