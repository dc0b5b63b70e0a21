"""Write a dataset for other tools: FiftyOne, COCO, folders of classes, YOLO.

Images with their boxes, classes, tags and splits go into a folder of their own, which appears whole
or not at all. None of these tools has to be installed.
"""
