"""Gates: may this change go live?"""
