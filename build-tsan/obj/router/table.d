build-tsan/obj/router/table.o: router/table.c router/table.h \
 libflynn/http_parse.h libflynn/xmalloc.h libflynn/attr.h router/path.h \
 router/tls.h
router/table.h:
libflynn/http_parse.h:
libflynn/xmalloc.h:
libflynn/attr.h:
router/path.h:
router/tls.h:
