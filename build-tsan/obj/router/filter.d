build-tsan/obj/router/filter.o: router/filter.c router/filter.h \
 router/record.h libflynn/http_parse.h libflynn/err.h libflynn/attr.h \
 libflynn/xmalloc.h router/table.h
router/filter.h:
router/record.h:
libflynn/http_parse.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/xmalloc.h:
router/table.h:
