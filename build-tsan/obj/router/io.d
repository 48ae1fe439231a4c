build-tsan/obj/router/io.o: router/io.c router/io.h
router/io.h:
