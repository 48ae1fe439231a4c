build-tsan/obj/router/forwarded.o: router/forwarded.c router/forwarded.h \
 libflynn/http_parse.h router/head.h
router/forwarded.h:
libflynn/http_parse.h:
router/head.h:
