build-tsan/obj/router/proxied.o: router/proxied.c router/proxied.h \
 libflynn/err.h libflynn/attr.h libflynn/log.h router/cidr.h \
 router/client.h libflynn/list.h router/io.h router/timer.h \
 router/forwarded.h libflynn/http_parse.h router/plane.h \
 router/proxy_protocol.h router/worker.h router/block.h router/pipe.h \
 router/complaint.h
router/proxied.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/log.h:
router/cidr.h:
router/client.h:
libflynn/list.h:
router/io.h:
router/timer.h:
router/forwarded.h:
libflynn/http_parse.h:
router/plane.h:
router/proxy_protocol.h:
router/worker.h:
router/block.h:
router/pipe.h:
router/complaint.h:
