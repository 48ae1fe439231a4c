build-tsan/obj/router/h2_head.o: router/h2_head.c router/h2_head.h \
 libflynn/http_parse.h libflynn/attr.h libflynn/err.h libflynn/attr.h \
 router/block.h router/pipe.h router/head.h router/forwarded.h
router/h2_head.h:
libflynn/http_parse.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/attr.h:
router/block.h:
router/pipe.h:
router/head.h:
router/forwarded.h:
