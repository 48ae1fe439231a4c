build-tsan/obj/router/route.o: router/route.c router/route.h \
 libflynn/attr.h libflynn/base64.h libflynn/buf.h libflynn/attr.h \
 libflynn/clock.h libflynn/err.h libflynn/json.h libflynn/xmalloc.h \
 router/path.h libflynn/http_parse.h router/table.h
router/route.h:
libflynn/attr.h:
libflynn/base64.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/clock.h:
libflynn/err.h:
libflynn/json.h:
libflynn/xmalloc.h:
router/path.h:
libflynn/http_parse.h:
router/table.h:
