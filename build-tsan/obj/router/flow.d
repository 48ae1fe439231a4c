build-tsan/obj/router/flow.o: router/flow.c router/flow.h \
 libflynn/http_parse.h libflynn/err.h libflynn/attr.h router/block.h \
 router/pipe.h router/io.h
router/flow.h:
libflynn/http_parse.h:
libflynn/err.h:
libflynn/attr.h:
router/block.h:
router/pipe.h:
router/io.h:
