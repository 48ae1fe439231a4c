build-tsan/obj/router/h2.o: router/h2.c router/h2_internal.h \
 libflynn/list.h router/client.h router/io.h router/timer.h router/h2.h \
 libflynn/http_parse.h router/h2_head.h libflynn/attr.h \
 libflynn/xmalloc.h libflynn/attr.h router/block.h router/pipe.h \
 router/worker.h router/complaint.h
router/h2_internal.h:
libflynn/list.h:
router/client.h:
router/io.h:
router/timer.h:
router/h2.h:
libflynn/http_parse.h:
router/h2_head.h:
libflynn/attr.h:
libflynn/xmalloc.h:
libflynn/attr.h:
router/block.h:
router/pipe.h:
router/worker.h:
router/complaint.h:
