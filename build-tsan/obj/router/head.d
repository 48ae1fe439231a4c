build-tsan/obj/router/head.o: router/head.c router/head.h \
 libflynn/http_parse.h router/forwarded.h libflynn/attr.h
router/head.h:
libflynn/http_parse.h:
router/forwarded.h:
libflynn/attr.h:
