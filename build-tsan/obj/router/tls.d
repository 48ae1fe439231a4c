build-tsan/obj/router/tls.o: router/tls.c router/tls.h libflynn/attr.h \
 libflynn/cert.h libflynn/err.h libflynn/attr.h libflynn/xmalloc.h \
 router/plane.h router/table.h libflynn/http_parse.h router/tickets.h
router/tls.h:
libflynn/attr.h:
libflynn/cert.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/xmalloc.h:
router/plane.h:
router/table.h:
libflynn/http_parse.h:
router/tickets.h:
