build-tsan/obj/router/path.o: router/path.c router/path.h \
 libflynn/http_parse.h
router/path.h:
libflynn/http_parse.h:
