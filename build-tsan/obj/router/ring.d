build-tsan/obj/router/ring.o: router/ring.c router/ring.h libflynn/list.h \
 libflynn/xmalloc.h libflynn/attr.h router/record.h libflynn/http_parse.h
router/ring.h:
libflynn/list.h:
libflynn/xmalloc.h:
libflynn/attr.h:
router/record.h:
libflynn/http_parse.h:
