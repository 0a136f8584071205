namespace loglink {}
