build-tsan/obj/router/page.o: router/page.c router/page.h \
 libflynn/http_parse.h libflynn/attr.h libflynn/buf.h libflynn/attr.h \
 libflynn/json.h router/block.h router/pipe.h
router/page.h:
libflynn/http_parse.h:
libflynn/attr.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/json.h:
router/block.h:
router/pipe.h:
