build-tsan/obj/router/tally.o: router/tally.c router/tally.h \
 libflynn/attr.h libflynn/xmalloc.h libflynn/attr.h router/record.h \
 libflynn/http_parse.h
router/tally.h:
libflynn/attr.h:
libflynn/xmalloc.h:
libflynn/attr.h:
router/record.h:
libflynn/http_parse.h:
